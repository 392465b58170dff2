"""What a person types and reads: the commands, their arguments, their exit statuses."""
