# configure, and every abort-…: the files are there, the new ones or the former.
put_back
