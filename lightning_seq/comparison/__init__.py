"""Many runs: which there are, what they share, how far they are."""
