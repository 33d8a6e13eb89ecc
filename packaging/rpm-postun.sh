if [ "$1" -eq 0 ]; then
    clean_up
    # The package owns the files in these folders, but not the folders.
    find "$FOLDER" -depth -type d -exec rmdir {} + 2>/dev/null || true
fi
