"""The sources of examples: embedded sets, the Hub, a mirror of it, files of the user, synthetic problems."""
