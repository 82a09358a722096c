"""What is kept between reruns and shared by all sessions: the only modules with `st.cache_*`."""

import logging

NOT_SERVED_YET = "No runtime found, using MemoryCacheStorageManager"

# Pages are imported before the server runs, so that no visitor waits for it. Streamlit warns of each `st.cache_data`
# that is declared so early; none is used before, and all use the server's storage then.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(
    lambda record: record.getMessage() != NOT_SERVED_YET
)
