"""bench: runs the contestants of each row, compares them, and shows it all."""
