"""One file per recurrence: its equations and one step."""
