# 0: the last version is removed.
if [ "$1" -eq 0 ]; then
    take_out
    stop_unit
fi
