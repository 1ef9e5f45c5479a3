"""The health of a training: figures of each layer, words of warning, and where numbers first went bad."""
