"""The report for a colleague: one offline page, or a notebook to go on from, of an evaluation's main questions."""
