"""Files to batches: formats, preprocessing, datasets, augmentation."""
