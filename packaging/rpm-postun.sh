if [ "$1" -eq 0 ]; then
    clean_up
    # The package has the files in them alone.
    find "$FOLDER" -depth -type d -exec rmdir {} + 2>/dev/null || true
fi
