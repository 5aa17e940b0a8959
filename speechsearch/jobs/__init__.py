"""Long tasks: a queue in the database and the thread that does them."""
