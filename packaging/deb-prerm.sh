# remove, upgrade, deconfigure, failed-upgrade: whatever comes next, it is done without the entry.
take_out
