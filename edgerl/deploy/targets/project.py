"""Who publishes an export's packages: nobody yet, and placeholders say so where Arduino asks for a name.

A package for one's own firmware needs none; Espressif's and PlatformIO's manifests leave it out.
"""

URL = "https://example.com/your-page-on-this-library"
MAINTAINER = "Your Name <you@example.com>"
LICENCE = "MIT"
