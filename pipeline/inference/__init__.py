"""Networks over whole volumes: tiles, blending, folders of cases."""
