# Runs when glibc has been installed or upgraded.
retry
