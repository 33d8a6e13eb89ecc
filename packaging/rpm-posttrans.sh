# After the files of the former version have gone.
put_back
