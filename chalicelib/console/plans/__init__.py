"""The form of a plan: its fields, the body that it posts, its refusals, its calculator, and ready plans to begin with."""
