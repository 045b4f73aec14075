"""One run: assemble, train, test and resume it."""
