# Runs after the files of the former version are removed.
put_back
