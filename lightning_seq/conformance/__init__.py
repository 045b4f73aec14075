"""The properties that every cell, engine and layer must have."""
