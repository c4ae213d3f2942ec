"""Machine: what this computer is, what it can do, and what a run was made with."""
