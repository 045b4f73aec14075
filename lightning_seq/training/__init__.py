"""One run: assembled, trained, finished, resumed."""
