"""The command line: the commands, their arguments, their messages and exit statuses."""
