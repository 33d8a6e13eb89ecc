# Above 1: an upgrade; its files are installed next.
[ "$1" -le 1 ] || take_out
