# Runs for configure and for every abort-…: the new or the former files are in place.
put_back
