"""The page on trainings: `page.write_training_report`."""
