"""What happened: trial records, fronts, hypervolume, noise, comparisons. Pure Python."""
