"""What the page, the routes and the command line ask for."""
