"""Attention: one file per scorer, masked softmax in one place."""
