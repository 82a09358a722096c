"""What is kept between reruns and shared by all sessions: the only modules with `st.cache_*`."""
