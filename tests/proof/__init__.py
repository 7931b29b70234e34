"""`make prove`: each promise under each attack, and one table of what came out."""
