"""The page of ``multicam live``: plain HTML, CSS and JavaScript modules, served as they are, without a build step."""
