case "$1" in
    remove | purge | disappear) clean_up ;;
esac
