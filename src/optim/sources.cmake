target_sources(uncial PRIVATE
)
