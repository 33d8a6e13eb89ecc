# triggered: libc has changed. Otherwise it runs for configure and for every abort-…: the new or the
# former files are in place.
case "$1" in
    triggered) retry ;;
    *) put_back ;;
esac
