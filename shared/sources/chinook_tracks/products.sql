-- One row per track.
SELECT
    _row,
    "TrackId" AS product_id,
    "Name"    AS name,
    "Genre"   AS category,
    "Artist"  AS brand
FROM raw
