# 0: the last version is removed.
[ "$1" -gt 0 ] || take_out
