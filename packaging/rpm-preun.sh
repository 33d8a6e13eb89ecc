# 0: no version stays.
[ "$1" -gt 0 ] || take_out
