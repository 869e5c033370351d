"""The page on saved masks of trackers: `page.write_vos_report`."""
