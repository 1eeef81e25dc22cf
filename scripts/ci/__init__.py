"""What continuous integration runs, besides the project itself."""
