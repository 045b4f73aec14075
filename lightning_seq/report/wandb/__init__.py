"""What a comparison sends to W&B."""
