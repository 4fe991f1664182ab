"""What measures: one script for each claim in the README, each against a peer in the same run."""
