"""Where examples come from: embedded, the Hub, a mirror of it, files of the user's own."""
