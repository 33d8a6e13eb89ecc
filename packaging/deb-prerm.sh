# Runs for remove, upgrade, deconfigure and failed-upgrade: the entry is removed in each case.
take_out
[ "$1" != remove ] || stop_unit
