"""Takes jobs from the database, one process for each, and keeps watch over them."""
