"""From masks as data sets have them to trees of the x3 layout: views chosen, objects painted away, nothing left half-written."""
