# Above 1: an upgrade, whose files come next.
[ "$1" -le 1 ] || take_out
