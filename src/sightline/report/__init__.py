"""The report: a static folder that opens offline from a file URL (`write.write_report`).

    OUT/index.html         header and table as plain HTML, then the gallery, which scripts fill
        report.json        who wrote the folder and from which runs; without it the folder is not ours to replace
        assets/*.js *.css  named by their hash
        assets/*.webp      one preview of each picture, named by its digest
        data/index.js      all rows as columns, for filtering
        data/texts-*.js    what each run said, for searching; loaded on the first search
        data/rows-*.js     `CHUNK_ROWS` rows each in full; loaded when one of them is shown

The scripts under `assets/` here are classic ones sharing the global `sightline`: modules do not load from file URLs.
"""
