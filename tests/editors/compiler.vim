autocmd FileType python setlocal makeprg=gradlint\ check\ --quiet\ --output-format\ concise\ %:S
autocmd FileType python setlocal errorformat=%f:%l:%c:\ %m
