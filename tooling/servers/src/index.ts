/** Placeholder: the entry exists so that the package builds. */
export {}
