"""Data and a run that need nothing but this package: procedural rooms with exact masks, depth and poses.

`rooms.write_rooms` writes them in the x3 layout, so that every later stage meets them as it meets real data. One file each:
`solids` (shapes and rays), `paint` (colours as functions of position), `layout` (what stands where), `render` (pictures),
`fairness` (which layouts are kept), `rooms` (files).
"""
